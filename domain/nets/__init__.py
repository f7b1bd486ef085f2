"""Blocks and backbones shared by all families. No loss, no data, no training here."""
