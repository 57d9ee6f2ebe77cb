"""What `import deimv2` offers: one function for each job, with a dataclass of options.

The command line parses, calls one of these, and prints.
"""
