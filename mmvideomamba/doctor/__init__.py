"""Say what works on this machine: ``python -m mmvideomamba.doctor``.

The report is plain text, made to be pasted into an issue. Each known trap of
the released hosts is tried, not only looked up. With ``--gpu``, every Triton
kernel is compared with the definition on the GPUs at hand.
"""
