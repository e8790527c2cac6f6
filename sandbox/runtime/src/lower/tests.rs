mod hostile;
mod tokens;
