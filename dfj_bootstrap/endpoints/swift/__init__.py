"""Models that are asked by ms-swift's ``swift infer``: a process for each chunk of calls, on this machine.

``endpoint.py`` gathers calls into chunks and finds the row that ends a process, ``inference.py`` runs one
process, ``command.py`` says how it is started, ``rows.py`` reads and writes its files, ``adapter.py`` tells
adapters apart.
How an endpoint is added: ``dfj_bootstrap/endpoints/__init__.py``.
"""
