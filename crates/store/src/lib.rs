//! Request records in SQLite.
