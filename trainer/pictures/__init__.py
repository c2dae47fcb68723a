"""Small drawings for reports: plain SVG that reads on dark and on light."""
