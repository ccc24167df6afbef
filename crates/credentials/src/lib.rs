//! One invocation's AWS credentials: context, cell, references, sources and scopes.
