"""Training losses as pure functions of predictions and truth; tensors (N, C, H, W) in [0, 1] unless said.

Names begin with the network they train; `terms` and `laplacian` hold what several are made of.
"""
