"""Signal or spectrogram to image transformers."""
