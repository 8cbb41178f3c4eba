"""Search indexes: one file a back end; importing this package registers them."""

from hashprobe.retrieval.indexes.base import INDEXES, SearchIndex, check_index, open_index
from hashprobe.retrieval.indexes.faiss_file import FaissFile
from hashprobe.retrieval.indexes.faiss_flat import FaissFlat
from hashprobe.retrieval.indexes.faiss_format import FaissCodes, read_faiss_codes
from hashprobe.retrieval.indexes.faiss_hnsw import FaissHNSW
from hashprobe.retrieval.indexes.faiss_ivf import FaissIVF
from hashprobe.retrieval.indexes.lancedb import LanceDB
from hashprobe.retrieval.indexes.milvus import Milvus, MilvusExact
from hashprobe.retrieval.indexes.pgvector import PGVector
from hashprobe.retrieval.indexes.postgres_exact import PostgresExact
from hashprobe.retrieval.indexes.qdrant import Qdrant, QdrantExact
from hashprobe.retrieval.indexes.scan import Scan
from hashprobe.retrieval.indexes.usearch import USearch, USearchExact

__all__ = [
    "INDEXES",
    "FaissCodes",
    "FaissFile",
    "FaissFlat",
    "FaissHNSW",
    "FaissIVF",
    "LanceDB",
    "Milvus",
    "MilvusExact",
    "PGVector",
    "PostgresExact",
    "Qdrant",
    "QdrantExact",
    "Scan",
    "SearchIndex",
    "USearch",
    "USearchExact",
    "check_index",
    "open_index",
    "read_faiss_codes",
]
