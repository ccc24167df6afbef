//! The Amazon ECS domain: identify, observe, analyse, plan, operate, verify.
