"""What every route needs: who asks, how errors answer, how events stream."""
