"""What black-box tests, the demonstration and the crash test share: a server process, a client for its API,
receivers that record what they are sent, and an independent check of Standard Webhooks signatures.

Nothing here knows the server's code; it speaks to the binary over real sockets. Standard library only.
"""
