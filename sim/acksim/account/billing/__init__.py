"""What it costs: prices, bills at the end of each day, payment, arrears."""
