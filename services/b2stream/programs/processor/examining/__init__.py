"""Where a closed batch is hashed and decoded: beside the loop, or in processes of its own."""
