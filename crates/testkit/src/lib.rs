//! Mock providers, in-memory sockets, fakes and fixtures for tests.
