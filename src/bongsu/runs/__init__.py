"""Recording a program: started or attached to, watched, summed up, compared."""
