"""How much may be done at once, in a minute, and for how many dollars. One word for each thing:

Between the driver and its workers (``exchange.py``, ``shares.py``)

- *coordinator*: the driver's side; holds each endpoint's limits and the budget, for the whole run.
- *worker limits*: the worker's side; its gates and its purse.
- *exchange*: one conversation of the two, about once a second: an allowance there, an account back.
- *allowance*: all that a worker is told: a grant for each endpoint, and a cap on its dollars.
- *grant*: what it may do at one endpoint: calls in flight, requests and tokens per second.
- *account*: all that it answers: its demand at each endpoint, and its money.
- *demand*: what it does at one endpoint, and would do if it might.
- *money*: how its purse stands.
- *share*: a part of a whole that several want.

At an endpoint, in one worker

- *attempt*: one request for a call; a call takes as many as ``retries.py`` allows.
- *gate*: where an attempt waits for its turn; *permit*: its way through.
- *need*: what is set aside for an attempt: its likely tokens, and its dollars at the worst. An answer's
  ``Usage`` (``calls/usage.py``), what the server says that it took, then takes its place.
- *slot*: the place of one call in flight. *Admission* finds out how many the server bears.
- *rate*: requests or tokens per second, each kept by a *bucket*.
- *purse*: the dollars that the process may spend. *Reserved* are those of attempts in flight.
- *pause*: a time in which nothing is sent. A *breaker* begins one after failures in a row; then one call
  goes alone, as a *probe*.

How an attempt ends (``broken.py``)

- *broken*: a further one may mend it. *Throttled*: by a 429, which uses up no attempt. *Doubtful*: by a
  refusal for good that may be a stray one; ``doubts.py`` weighs it.
- *lost*: it was sent, got no answer, and may have been paid.
- *proven*: the endpoint has answered somebody, or its first call takes long; more than one call may go.
- *vouched* for: somebody else got an answer from it.
"""
