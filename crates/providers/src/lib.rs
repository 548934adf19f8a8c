//! Vendors as data: adapters, the price catalogue, the simulated provider.
