"""Exit codes other than 0 and 1, for launchers and schedulers."""

# The state is saved after a signal, and the training can go on: EX_TEMPFAIL
# of sysexits.h, "the user is invited to retry".
PREEMPTED = 75
# Losses or gradients are infinite or no numbers: EX_SOFTWARE.
DIVERGED = 70
# The state is saved after Ctrl-C, as shells report an end by SIGINT.
INTERRUPTED = 130
# No GPU where the command needs one: EX_UNAVAILABLE of sysexits.h.
UNAVAILABLE = 69
# Some inputs cannot be read or have no counterpart; they are listed, and all
# others are done: EX_DATAERR.
BAD_INPUT = 65
