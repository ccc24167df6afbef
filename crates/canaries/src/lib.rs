//! Finds planted secrets in any form: for the tests that attack the rooms holding them.
