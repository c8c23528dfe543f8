"""Exit codes of a training that ended early, for launchers and schedulers."""

# The state is saved after a signal, and the training can go on: EX_TEMPFAIL
# of sysexits.h, "the user is invited to retry".
PREEMPTED = 75
# Losses or gradients are infinite or no numbers: EX_SOFTWARE.
DIVERGED = 70
# The state is saved after Ctrl-C, as shells report an end by SIGINT.
INTERRUPTED = 130
