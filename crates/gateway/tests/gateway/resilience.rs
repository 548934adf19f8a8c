//! What keeps requests coming through: breakers, keys, lines, ceilings, chains, balance.

mod balance;
mod breaker;
mod ceilings;
mod chains;
mod coalesce;
mod final_words;
mod hedge;
mod keys;
mod line;
mod probes;
