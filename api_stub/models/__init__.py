"""The documents that go over the wire, with examples; more members may come."""
