"""Search indexes: one file a back end; importing this package registers them."""

from hashprobe.retrieval.indexes.base import INDEXES, SearchIndex, open_index
from hashprobe.retrieval.indexes.faiss_flat import FaissFlat
from hashprobe.retrieval.indexes.faiss_hnsw import FaissHNSW
from hashprobe.retrieval.indexes.faiss_ivf import FaissIVF
from hashprobe.retrieval.indexes.scan import Scan

__all__ = ["INDEXES", "FaissFlat", "FaissHNSW", "FaissIVF", "Scan", "SearchIndex", "open_index"]
