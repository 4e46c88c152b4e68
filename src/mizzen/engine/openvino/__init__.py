"""The model in openvino-genai: its files, its tokenizer, its continuous batching."""
