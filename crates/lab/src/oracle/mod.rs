//! What only the evaluator may know: is the service well now, was anything else touched, what was broken.
