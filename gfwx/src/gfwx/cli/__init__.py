"""The command line, ``gfwx encode``, ``decode``, ``info`` and so on; needs the extra ``cli``."""
