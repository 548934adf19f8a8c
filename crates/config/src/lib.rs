//! Every feature's configuration, composed into one immutable snapshot.
