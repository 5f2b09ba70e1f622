"""The HTTP and gRPC servers of ``ocrtune serve``, with one batching core; no torch."""
