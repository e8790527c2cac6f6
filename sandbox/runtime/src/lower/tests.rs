mod hostile;
mod lowering;
mod positions;
mod tokens;
