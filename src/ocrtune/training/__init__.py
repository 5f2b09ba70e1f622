"""The one training loop and what it needs; tasks plug in through `ocrtune.task.Task`."""
