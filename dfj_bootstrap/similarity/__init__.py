"""How near two texts are: ``lexical`` needs nothing, ``sentence`` the extra ``embeddings``."""
