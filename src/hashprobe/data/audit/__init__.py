"""The audit of a split: its checks, duplicate images, and what it says of all of them."""
