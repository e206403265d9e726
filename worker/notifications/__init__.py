"""What claimd tells others without being asked: endpoints, webhooks, mail."""
