//! Model names, routes and plans.
