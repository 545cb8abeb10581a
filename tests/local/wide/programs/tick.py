"""A worker that says that it is there, until it is told to stop."""

import signal

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("tick", flush=True)
signal.sigwait({signal.SIGTERM})
print("stopped well", flush=True)
