//! From loose words to one service.
