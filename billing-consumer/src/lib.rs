//! billing-consumer
