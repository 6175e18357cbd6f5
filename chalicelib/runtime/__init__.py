"""CARRY: wiring, queues, batches, secrets and log; everything that is shaped like Lambda."""
