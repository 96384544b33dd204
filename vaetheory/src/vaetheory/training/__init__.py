"""Train small VAEs on images or arrays: data, networks, the loop, checkpoints.

Needs the extra ``cli``, and is what the command line runs; the theory itself needs none of it.
"""
