"""Is an artifact what it says, and does it detect what the network detects?"""
