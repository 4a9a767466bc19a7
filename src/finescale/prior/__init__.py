"""What fine weather looks like: Gaussian climate, networks, codecs, objectives, training, the card."""
