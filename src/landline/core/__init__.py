"""The vocabulary that all protocols are translated through. PURE: values in, values out."""
