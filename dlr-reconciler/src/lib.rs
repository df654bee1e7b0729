//! dlr-reconciler
