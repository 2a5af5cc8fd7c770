"""Networks, from blocks to the whole; all sizes come from a NetworkSpec."""
