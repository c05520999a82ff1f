"""A Handle server for a laptop: CNRI's real one, its jars checked against a committed lock, set up without questions.

Handle.Net is CNRI's, under the Handle.Net Public License: free to use with its notices kept; whoever offers a public identifier
service needs an agreement with the foundation and a prefix. The sandbox's server listens on loopback alone, under a test prefix.
"""

from b2stream.sandbox.handle.server import NOTICE, HandleServer, why_not

__all__ = ["NOTICE", "HandleServer", "why_not"]
