"""A torture of several workers on one store: `python -m tests.torture --minutes 10`.

`schedule` plans the faults, `cluster` starts the processes and does to them what the plan says, `clients` use
them meanwhile, and `model` judges what each reader has seen.
"""
