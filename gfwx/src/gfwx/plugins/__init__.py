"""gfwx inside other libraries, which find it by entry points; `import gfwx` leaves it out."""
