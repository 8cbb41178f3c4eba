"""Images on disk: finding, decoding and caching them, many at once, and showing them on one page."""
