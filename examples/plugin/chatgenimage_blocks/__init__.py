"""An example of a plug-in for the ChatGenImage factory: a world of coloured blocks."""
