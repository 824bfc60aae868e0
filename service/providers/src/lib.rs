//! service/providers
