//! The real resource types over the real services.
