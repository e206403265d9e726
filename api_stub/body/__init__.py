"""Request bodies, read as they come: counted, never held as a whole, never waited for for ever."""
