"""What the two protocols of OpenAI's clients share: chat completions and Responses, as a server has them."""
