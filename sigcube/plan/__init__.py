"""What a sweep will compute and write, decided before anything runs: pure values, no I/O but of specs."""
